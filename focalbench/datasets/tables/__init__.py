"""Real tables: what one is, which lie in installed packages, its targets, weights and repeated rows."""
