"""Pictures. No other package imports matplotlib."""
