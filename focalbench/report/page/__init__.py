"""Results as one HTML file that stands by itself: what is on it, how it is laid out, and how it is sealed."""
