"""The Grafana dashboards, as Python that writes them. Run `python -m deploy.grafana` to write the JSON files anew.

One module for each dashboard says what it shows; `parts` knows how panels look, `board` where they stand.
"""
