"""What the Python tests share: programs to start, peers to play, events to wait for."""
