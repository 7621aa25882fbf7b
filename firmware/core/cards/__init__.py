"""Cards as bits: layouts as data, credentials read from them and written to them; pure, for every room."""
