"""Somebody's own loss, asked for gradients in processes of its own."""
