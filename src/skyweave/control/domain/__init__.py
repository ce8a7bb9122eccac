"""What the public log means: charters, regions, agreements, requests, directives; pure."""
