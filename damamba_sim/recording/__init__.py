"""Sessions on disk: behaviour becomes sound, labels and true channels; true channels become video."""
