"""Real tables: what one is, which go by a name, its targets, weights and repeated rows."""
