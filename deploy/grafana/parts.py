"""The looks of panels: each kind of panel as one function, with unit, description and thresholds.

Queries name the data source by the dashboard's variable. Nothing here knows what a dashboard shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
OF_VCENTER = 'vcenter=~"$vcenter"'
OF_CLUSTER = 'vcenter=~"$vcenter",cluster=~"$cluster"'
EACH = "by (vcenter, cluster)"

Steps = Sequence[tuple[float, str]]
"""From which value on which colour; what is below the first is green, or the colour given for it."""

Shown = TypeVar(
    "Shown",
    bargauge.Panel,
    stat.Panel,
    statetimeline.Panel,
    statushistory.Panel,
    table.Panel,
    timeseries.Panel,
)

GOOD, WARN, BAD, QUIET = "green", "orange", "red", "text"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One query of a panel: the expression, and how its series are called."""

    expr: str
    legend: str = ""
    exemplars: bool = False


def thresholds(steps: Steps, base: str = GOOD) -> dashboard.ThresholdsConfig:
    """Return thresholds; `base` is the colour below the first."""
    every = [models.Threshold(value=None, color=base)]
    every += [models.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(every)


def words(named: Mapping[int, tuple[str, str]]) -> list[models.ValueMapping]:
    """Return how numbers are shown as words in colours."""
    options = {
        str(value): models.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(named.items())
    }
    return [models.ValueMap(options=options)]


YES_NO_GOOD = words({0: ("no", BAD), 1: ("yes", GOOD)})
YES_NO_BAD = words({0: ("no", GOOD), 1: ("yes", BAD)})
MODES = words(
    {0: ("observe", QUIET), 1: ("manual", "blue"), 2: ("partial", "purple"), 3: ("automatic", GOOD)}
)

MODE_IN_FORCE = " + ".join(
    f'{number} * max {EACH} (balancer_cluster_mode_in_force{{{OF_CLUSTER},mode="{mode}"}})'
    for number, mode in enumerate(("observe", "manual", "partial", "automatic"))
)
"""The mode in force as a number, for `MODES`."""


def _queries(
    panel: Shown, asks: Sequence[Ask], *, instant: bool = False, as_table: bool = False
) -> Shown:
    for number, ask in enumerate(asks):
        query = (
            prometheus.Dataquery().expr(ask.expr).ref_id(chr(ord("A") + number)).datasource(SOURCE)
        )
        query = query.legend_format(ask.legend) if ask.legend else query
        query = query.exemplar(True) if ask.exemplars else query
        query = query.instant() if instant else query.range()
        query = query.format(PromQueryFormat.TABLE) if as_table else query
        panel.with_target(query)
    return panel.datasource(SOURCE)


def number(
    title: str,
    meaning: str,
    expr: str,
    unit: str,
    *,
    steps: Steps = (),
    base: str = GOOD,
    mappings: list[models.ValueMapping] | None = None,
    legend: str = "",
    none: str = "0",
) -> stat.Panel:
    """Return a large number; `none` is shown where there is nothing."""
    panel = (
        stat.Panel()
        .title(title)
        .description(meaning)
        .unit(unit)
        .thresholds(thresholds(steps, base if steps else QUIET))
        .color_mode(looks.BigValueColorMode.VALUE)
        .graph_mode(looks.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value(none)
    )
    if mappings:
        panel.mappings(mappings)
    return _queries(panel, [Ask(expr=expr, legend=legend)], instant=True)


def lines(
    title: str,
    meaning: str,
    asks: Sequence[Ask],
    unit: str,
    *,
    steps: Steps = (),
    least: float | None = 0.0,
    stacked: bool = False,
    dashed: str = "",
) -> timeseries.Panel:
    """Return a graph over time. `least` is where its axis begins; series that match `dashed` are limits."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(meaning)
        .unit(unit)
        .thresholds(thresholds(steps))
        .line_width(1)
        .fill_opacity(35 if stacked else 5)
        .show_points(looks.VisibilityMode.NEVER)
        .span_nulls(False)
        .legend(
            common.VizLegendOptions()
            .display_mode(looks.LegendDisplayMode.LIST)
            .placement(looks.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
    )
    if steps:
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(looks.GraphTresholdsStyleMode.DASHED)
        )
    if stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    if least is not None:
        panel.min(least)
    if dashed:
        style = {"fill": "dash", "dash": [6, 4]}
        panel.override_by_regexp(
            dashed,
            [
                models.DynamicConfigValue(id_val="custom.lineStyle", value=style),
                models.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
            ],
        )
    return _queries(panel, asks)


def heat(title: str, meaning: str, ask: Ask, unit: str, *, steps: Steps) -> statushistory.Panel:
    """Return one row of coloured cells for each series, such as a host, over time."""
    panel = (
        statushistory.Panel()
        .title(title)
        .description(meaning)
        .unit(unit)
        .thresholds(thresholds(steps))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .show_value(looks.VisibilityMode.NEVER)
        .row_height(0.9)
        .max_data_points(120)
        .legend(
            common.VizLegendOptions()
            .display_mode(looks.LegendDisplayMode.LIST)
            .placement(looks.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    return _queries(panel, [ask])


def states(
    title: str, meaning: str, asks: Sequence[Ask], mappings: list[models.ValueMapping]
) -> statetimeline.Panel:
    """Return one band for each series whose colour says its state."""
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(meaning)
        .unit("short")
        .mappings(mappings)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .thresholds(thresholds((), QUIET))
        .merge_values(True)
        .show_value(looks.VisibilityMode.AUTO)
        .row_height(0.8)
    )
    return _queries(panel, asks)


def buckets(title: str, meaning: str, expr: str, unit: str) -> heatmap.Panel:
    """Return a heat map of a histogram's buckets; `expr` sums them by `le`."""
    panel = (
        heatmap.Panel()
        .title(title)
        .description(meaning)
        .unit(unit)
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
        )
        .y_axis(heatmap.YAxisConfig().unit(unit))
    )
    query = prometheus.Dataquery().expr(expr).ref_id("A").datasource(SOURCE).range()
    panel.with_target(query.legend_format("{{le}}").format(PromQueryFormat.HEATMAP))
    return panel.datasource(SOURCE)


def bars(title: str, meaning: str, ask: Ask, unit: str, *, steps: Steps = ()) -> bargauge.Panel:
    """Return one bar for each series, by its newest value."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(meaning)
        .unit(unit)
        .min(0)
        .thresholds(thresholds(steps, GOOD if steps else "blue"))
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
        .orientation(looks.VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _queries(panel, [ask], instant=True)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of figures in a table: its heading, query and unit, and from when on it is coloured."""

    heading: str
    expr: str
    unit: str = "short"
    steps: Steps = ()


def figures(
    title: str, meaning: str, columns: Sequence[Column], keys: Mapping[str, str], *, link: str = ""
) -> table.Panel:
    """Return a table with a row for each set of `keys` (label: heading) and a column for each query.

    `link` is where a click on the first key leads to.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(meaning)
        .unit("short")
        .thresholds(thresholds((), QUIET))
    )
    letters = [chr(ord("A") + number) for number in range(len(columns))]
    values = [f"Value #{letter}" if len(columns) > 1 else "Value" for letter in letters]
    named = {**keys, **{value: one.heading for value, one in zip(values, columns, strict=True)}}
    order = {name: index for index, name in enumerate(named)}
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": named},
        )
    )
    for column in columns:
        settings = [models.DynamicConfigValue(id_val="unit", value=column.unit)]
        if column.steps:
            settings.append(
                models.DynamicConfigValue(
                    id_val="thresholds", value=thresholds(column.steps).build()
                )
            )
            cell = {"type": "color-text"}
            settings.append(models.DynamicConfigValue(id_val="custom.cellOptions", value=cell))
        panel.override_by_name(column.heading, settings)
    if link:
        to = [{"title": "Open the cluster", "url": link}]
        first = next(iter(keys.values()))
        panel.override_by_name(first, [models.DynamicConfigValue(id_val="links", value=to)])
    asks = [Ask(expr=column.expr) for column in columns]
    return _queries(panel, asks, instant=True, as_table=True)
