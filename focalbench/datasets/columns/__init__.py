"""How the columns of somebody's file are read: numbers, dates, categories, and which part each plays."""
