"""Direct challenges between two players."""
