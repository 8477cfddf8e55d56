"""The corner shop's folder with its HTTP client imported on load."""

import requests

CLIENT = requests
