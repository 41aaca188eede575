"""What an engine says about itself: metrics, health, fields of log records."""
