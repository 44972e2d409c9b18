"""What a person reads: tables, sentences, curves and figures, and the folder that holds them."""
