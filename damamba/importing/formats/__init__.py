"""One file a format, which `damamba.importing.read` finds by itself."""
