"""The wire: messages, errors and closing codes, in pure Python. Everything else is generated from here."""
