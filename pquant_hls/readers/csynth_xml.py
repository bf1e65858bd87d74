"""``*_csynth.xml`` and Vitis ``csynth.xml``: Vivado HLS 2016.4 to 2020.1, Vitis HLS 2020.1 to 2025.x."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from pquant_hls.readers import checks, values, xml
from pquant_hls.readers.checks import RESOURCE_NAMES, Clock, Cycles
from pquant_hls.readers.records import CsynthReport, ReportModule
from pquant_hls.readers.values import Printed, Spot

_SECTIONS = ("UserAssignments", "PerformanceEstimates", "AreaEstimates")
_LATENCY = "PerformanceEstimates/SummaryOfOverallLatency"


def recognises(root: Element) -> bool:
    return root.tag == "profile" and any(root.find(name) is not None for name in _SECTIONS)


def read(root: Element, spot: Spot) -> CsynthReport:
    """One report from its parsed root; ``spot`` names the file."""
    missing = tuple(name for name in _SECTIONS if xml.one(root, name, spot) is None)
    version = checks.check_version(xml.text_of(root, "ReportVersion/Version", spot), spot)
    clock, cycles = _clock(root, spot), _cycles(root, spot)
    _check_repeated(root, cycles, spot)
    area = xml.one(root, "AreaEstimates", spot)
    available = _resources(area, "AvailableResources", spot)
    part = values.part(xml.text_of(root, "UserAssignments/Part", spot), spot.at("Part"))
    checks.check_part(part, available, spot)
    top = values.function(xml.text_of(root, "UserAssignments/TopModelName", spot), spot.at("TopModelName"))
    resources = checks.make_resources(_resources(area, "Resources", spot), available, spot)
    checks.check_built(clock, cycles, resources, spot)
    clocks = [port for port in root.findall("InterfaceSummary/RtlPorts") if port.findtext("name") == "ap_clk"]
    checks.check_top(top, clocks[0].findtext("Object") if clocks else None, spot)
    return CsynthReport(
        kind="csynth_xml",
        file=spot.file,
        tool=_tool(root, version, spot),
        version=version,
        top=top,
        part=part,
        pipeline_type=cycles.pipeline_type,
        latency=checks.make_latency(cycles, clock, spot),
        latency_ns_min=values.ns(cycles.best_time),
        latency_ns_max=values.ns(cycles.worst_time),
        interval_min=cycles.interval_min,
        interval_max=cycles.interval_max,
        resources=resources,
        modules=_modules(root, spot),
        missing=missing,
    )


def _tool(root: Element, version: str | None, spot: Spot) -> str | None:
    """The file does not name its tool; its version and the tags that only Vitis HLS writes do."""
    if version is None:
        return None
    area = xml.one(root, "AreaEstimates", spot)
    flow, dsp = root.find("UserAssignments/FlowTarget"), xml.one(area, "Resources/DSP", spot)
    vitis_tags = flow is not None or dsp is not None
    vivado_tags = xml.one(area, "Resources/DSP48E", spot) is not None
    year, release = (int(part) for part in version.split(".")[:2])
    if ((year, release) < (2020, 1) and vitis_tags) or ((year, release) >= (2021, 1) and vivado_tags):
        raise spot.at("tool version").error(f"{version} does not write these tags")
    return "Vitis HLS" if vitis_tags or (year, release) > (2020, 1) else "Vivado HLS"


def _clock(root: Element, spot: Spot) -> Clock:
    user = xml.one(root, "UserAssignments", spot)
    timing = xml.one(root, "PerformanceEstimates/SummaryOfTimingAnalysis", spot)
    return Clock(
        target=_period(user, "TargetClockPeriod", spot),
        estimated=_period(timing, "EstimatedClockPeriod", spot),
        uncertainty=_period(user, "ClockUncertainty", spot),
    )


def _period(parent: Element | None, tag: str, spot: Spot) -> Printed | None:
    text = xml.text_of(parent, tag, spot)
    if text is None:
        return None
    unit = xml.text_of(parent, "unit", spot)
    if unit != "ns":
        raise spot.at(f"unit of {tag}").error(f"{unit!r} where the tools write 'ns'")
    return values.clock(text, spot.at(tag), "ns")


def _cycles(root: Element, spot: Spot) -> Cycles:
    latency = xml.one(root, _LATENCY, spot)
    unit = xml.text_of(latency, "unit", spot)
    if latency is not None and unit != "clock cycles":
        raise spot.at(f"{_LATENCY}/unit").error(f"{unit!r} where the tools write 'clock cycles'")
    best, worst = (_count(latency, f"{case}-caseLatency", spot) for case in ("Best", "Worst"))
    best_time, worst_time = (
        _time(latency, f"{case}-caseRealTimeLatency", spot) for case in ("Best", "Worst")
    )
    return Cycles(
        best=best,
        worst=worst,
        best_time=best_time,
        worst_time=worst_time,
        interval_min=_count(latency, "Interval-min", spot),
        interval_max=_count(latency, "Interval-max", spot),
        pipeline_type=values.phrase(
            xml.text_of(root, "PerformanceEstimates/PipelineType", spot), spot.at("PipelineType")
        ),
    )


def _count(parent: Element | None, tag: str, spot: Spot) -> int | None:
    return values.cycles(xml.text_of(parent, tag, spot), spot.at(tag))


def _time(parent: Element | None, tag: str, spot: Spot) -> Printed | None:
    return values.duration(xml.text_of(parent, tag, spot), spot.at(tag))


def _check_repeated(root: Element, cycles: Cycles, spot: Spot) -> None:
    """Average, pipeline depth and throughput state the same latency and interval once more."""
    latency = xml.one(root, _LATENCY, spot)
    average = _count(latency, "Average-caseLatency", spot)
    checks.check_order(cycles.best, average, spot.at("average latency"))
    checks.check_order(average, cycles.worst, spot.at("average latency"))
    average_time = _time(latency, "Average-caseRealTimeLatency", spot)
    checks.check_real_time(average, average_time, _clock(root, spot), spot.at("average latency"))
    depth = _count(latency, "PipelineDepth", spot)
    if depth is not None and cycles.worst is not None and depth != cycles.worst + 1:
        raise spot.at("PipelineDepth").error(f"{depth} stages contradict a latency of {cycles.worst} cycles")
    _check_throughput(latency, cycles, spot)


def _check_throughput(latency: Element | None, cycles: Cycles, spot: Spot) -> None:
    for tag in ("PipelineInitiationInterval", "DataflowPipelineThroughput"):
        element = xml.one(latency, tag, spot)
        if element is None:
            continue
        place = spot.at(tag)
        if element.find("range") is None:
            low = high = _count(latency, tag, spot)
        else:
            low, high = (
                values.cycles(xml.text_of(element, f"range/{end}", place), place) for end in ("min", "max")
            )
        for stated, interval in ((low, cycles.interval_min), (high, cycles.interval_max)):
            if stated is not None and interval is not None and stated != interval:
                raise place.error(f"{stated} contradicts an interval of {interval} cycles")


def _resources(area: Element | None, block: str, spot: Spot) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    parent = xml.one(area, block, spot)
    for tag, name in RESOURCE_NAMES.items():
        text = xml.text_of(parent, tag, spot.at(block))
        if text is None:
            continue
        if name in found:
            raise spot.at(block).error(f"{name} stands under two names")
        found[name] = values.whole_number(text, spot.at(f"{block}/{tag}"))
    return found


def _modules(root: Element, spot: Spot) -> tuple[ReportModule, ...]:
    """Direct instances of the top, where the file has the module list (Vitis ``csynth.xml``)."""
    by_name = _listed(root, spot)
    instances = root.findall("RTLDesignHierarchy/TopModule/InstancesList/Instance")
    found = []
    for instance in instances:
        name = values.function(xml.text_of(instance, "ModuleName", spot), spot.at("ModuleName"))
        module = by_name.get(name)
        if name is not None and module is not None:
            instance_name = xml.text_of(instance, "InstName", spot) or name
            found.append(_module(instance_name, name, module, spot.at(f"module {name}")))
    return tuple(found)


def _listed(root: Element, spot: Spot) -> dict[str | None, Element]:
    """The modules by name, each once."""
    by_name: dict[str | None, Element] = {}
    place = spot.at("ModuleInformation")
    for module in root.findall("ModuleInformation/Module"):
        name = xml.text_of(module, "Name", place)
        if name in by_name:
            raise place.error(f"a second module {name}")
        by_name[name] = module
    return by_name


def _module(instance: str, name: str, element: Element, spot: Spot) -> ReportModule:
    cycles = _cycles(element, spot)
    checks.check_cycles(cycles, Clock(), spot)
    area = xml.one(element, "AreaEstimates", spot)
    used = _resources(area, "Resources", spot)
    return ReportModule(
        instance=instance,
        module=name,
        cycles_min=cycles.best,
        cycles_max=cycles.worst,
        ii_cycles=cycles.interval_max,
        **used,
    )
