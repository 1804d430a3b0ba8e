"""Write the dashboards beside this file, or into the folder that is named."""

import sys
from pathlib import Path

from deploy.grafana.written import write_all

if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
