"""What the browser shows, as plain data: testable without a terminal."""
