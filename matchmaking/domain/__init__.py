"""Rules without I/O: no database, no clock, no chance, no Django. Time is always an argument."""
