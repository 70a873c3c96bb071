"""What simulated people do: scenes, turns, gestures, engagement, and annotators who rate it."""
