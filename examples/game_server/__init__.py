"""A small game server that speaks the contract of docs/game-server.md, and fails on demand."""
