"""Where panels stand: rows from the top, panels from the left, in Grafana's grid of 24 columns.

Also what all dashboards share: variables, links between them, annotations.
"""

from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.parts import OF_CLUSTER, SOURCE

COLUMNS = 24
SCHEMA_VERSION = 39
"""The classic model as Grafana 10.4 and 11 write it; newer ones read it."""

TAG = "vsphere-balancer"


class Grid:
    """Panels in the order in which they are added; a row that is full goes on below."""

    def __init__(self) -> None:
        self.panels: list[models.Panel | models.RowPanel] = []
        self._x = self._y = self._tallest = 0

    def row(self, title: str) -> None:
        """Begin a row with a heading."""
        self._break()
        place = models.GridPos(x=0, y=self._y, w=COLUMNS, h=1)
        row = dashboard.Row(title).id(len(self.panels) + 1).grid_pos(place).collapsed(False)
        self.panels.append(row.build())
        self._y += 1

    def add(self, width: int, height: int, *panels: Any) -> None:
        """Place panels of one size side by side."""
        for panel in panels:
            if self._x + width > COLUMNS:
                self._break()
            place = models.GridPos(x=self._x, y=self._y, w=width, h=height)
            self.panels.append(panel.id(len(self.panels) + 1).grid_pos(place).build())
            self._x, self._tallest = self._x + width, max(self._tallest, height)

    def _break(self) -> None:
        self._x, self._y, self._tallest = 0, self._y + self._tallest, 0


def put_together(*, uid: str, title: str, meaning: str, grid: Grid, hours: int) -> models.Dashboard:
    """Return a dashboard over a grid that shows the last `hours` when it is opened."""
    built = dashboard.Dashboard(title).uid(uid).description(meaning).tags([TAG])
    built = built.editable().timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    built = built.refresh("1m").time(f"now-{hours}h", "now").links([_link()])
    built = built.variables(_variables())
    made = built.annotations(_annotations()).build()
    made.schema_version = SCHEMA_VERSION
    made.panels = list(grid.panels)
    return made


def _link() -> dashboard.DashboardLink:
    """Return the links to all dashboards of ours, with the same variables and time."""
    others = (
        dashboard.DashboardLink("Balancer").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    )
    return others.as_dropdown(False).include_vars(True).keep_time(True).target_blank(False)


def _variables() -> list[Any]:
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    within = 'label_values(balancer_cluster_mode{vcenter=~"$vcenter"}, cluster)'
    return [
        source,
        _chosen("vcenter", "vCenter", "label_values(balancer_cluster_mode, vcenter)"),
        _chosen("cluster", "Cluster", within),
    ]


def _chosen(name: str, label: str, query: str) -> dashboard.QueryVariable:
    every = models.VariableOption(selected=True, text="All", value="$__all")
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query)
    variable = variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True)
    variable = variable.sort(models.VariableSort.ALPHABETICAL_ASC).include_all(True)
    return variable.all_value(".*").current(every)


MIGRATIONS_ENDED = (
    f"sum by (vcenter, cluster, outcome) "
    f'(changes(balancer_migrations_total{{{OF_CLUSTER},outcome!="skipped"}}[2m])) > 0'
)
VERDICTS_GIVEN = f"sum by (vcenter, cluster, result) (changes(balancer_batch_verdicts_total{{{OF_CLUSTER}}}[2m])) > 0"


def _annotations() -> list[Any]:
    return [
        _annotation("Migrations ended", MIGRATIONS_ENDED, "blue"),
        _annotation("Verdicts on batches", VERDICTS_GIVEN, "purple"),
    ]


def _annotation(name: str, expr: str, color: str) -> dashboard.AnnotationQuery:
    query = dashboard.AnnotationQuery().name(name).datasource(SOURCE).expr(expr)
    return query.enable(True).hide(False).icon_color(color)
