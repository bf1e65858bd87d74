"""Texts beside the Verilog: testbench, timing constraints, Vivado script, README."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from pquant_hls.programs.quoting import comment, tcl
from pquant_hls.qor import Target
from pquant_hls.rtl.timing import Pipelined
from pquant_hls.rtl.verilog import VerilogPort

MARGIN_CYCLES = 8
"""How long the testbench looks on after the last expected word, so that a later output is seen as late."""

_TESTBENCH = Template("""`timescale 1 ns / 1 ps
// Gives one golden vector a clock cycle and compares what comes out $latency cycles later.
// +record only writes result.hex, one word for each cycle.
module ${name}_tb;
  parameter VECTORS = $vectors;
  localparam LATENCY = $latency;
  localparam CYCLES = VECTORS + LATENCY + $margin;
  reg clk = 1'b0;
  reg [$in_high:0] data = {$in_bits{1'b0}};
  wire [$out_high:0] result;
  reg [$in_high:0] stimulus [0:VECTORS-1];
  reg [$out_high:0] expected [0:VECTORS-1];
  integer cycle, wrong, log;

  $name dut (
    .clk(clk),
    $connections
  );

  always #($half) clk = ~clk;

  initial begin
    wrong = 0;
    $$readmemh("golden_inputs.hex", stimulus);
    if (!$$test$$plusargs("record")) $$readmemh("golden_outputs.hex", expected);
    log = $$fopen("result.hex", "w");
    for (cycle = 0; cycle < CYCLES; cycle = cycle + 1) begin
      @(negedge clk);
      $$fwrite(log, "%h\\n", result);
      if (!$$test$$plusargs("record") && cycle >= LATENCY && cycle < VECTORS + LATENCY)
        if (result !== expected[cycle - LATENCY]) wrong = wrong + 1;
      data = cycle < VECTORS ? stimulus[cycle] : {$in_bits{1'b0}};
    end
    $$fclose(log);
    if (!$$test$$plusargs("record"))
      if (wrong == 0) $$display("PASS: %0d vectors, latency %0d cycles", VECTORS, LATENCY);
      else $$display("FAIL: %0d of %0d vectors differ", wrong, VECTORS);
    $$finish;
  end
endmodule
""")


def testbench(
    name: str,
    ports: tuple[Sequence[VerilogPort], Sequence[VerilogPort]],
    pipelined: Pipelined,
    run: tuple[int, float],
) -> str:
    """``run`` is (golden vectors, clock period in ns)."""
    inputs, outputs = ports
    in_bits, out_bits = (sum(port.bits for port in side) for side in ports)
    wires = [*_slices(inputs, "data"), *_slices(outputs, "result")]
    return _TESTBENCH.substitute(
        name=name,
        vectors=run[0],
        latency=pipelined.latency_cycles,
        margin=MARGIN_CYCLES,
        half=run[1] / 2,
        in_bits=in_bits,
        in_high=in_bits - 1,
        out_high=out_bits - 1,
        connections=",\n    ".join(wires),
    )


def _slices(side: Sequence[VerilogPort], bus: str) -> list[str]:
    lines, low = [], 0
    for port in side:
        lines.append(f".{port.name}({bus}[{low + port.bits - 1}:{low}])")
        low += port.bits
    return lines


def constraints(target: Target) -> str:
    """XDC: the clock alone; the HLS uncertainty is a reserve before place and route, not asked for again."""
    return f"# {comment(target.part)}\ncreate_clock -name clk -period {target.clock_ns} [get_ports clk]\n"


_VIVADO = Template("""# vivado -mode batch -source vivado.tcl
# Non-project flow, out of context; reports go to reports/.
set here [file normalize [file dirname [info script]]]
file mkdir $$here/reports
read_verilog [glob $$here/src/*.v]
read_xdc -mode out_of_context $$here/constraints/$name.xdc
synth_design -top $name -part $part -mode out_of_context
report_utilization -file $$here/reports/vivado_synth.rpt
report_timing_summary -file $$here/reports/${name}_post_synth_timing.rpt
opt_design
place_design
phys_opt_design
route_design
report_utilization -file $$here/reports/${name}_post_route_util.rpt
report_timing_summary -file $$here/reports/${name}_post_route_timing.rpt
write_checkpoint -force $$here/reports/${name}_post_route.dcp
""")


def vivado_script(name: str, part: str) -> str:
    return _VIVADO.substitute(name=name, part=tcl(part))


_README = Template("""# $name: pipelined Verilog

One result every clock cycle (initiation interval 1). There is no reset, no enable and no valid signal.
Counting the rising edge that samples an input as the first, its result stands at the outputs after rising
edge $latency: the latency counts the input register, one register between stages and the output register.

| | |
|---|---|
| part, clock | $part, $clock ns |
| pipeline stages | $stages |
| latency | $latency cycles, $latency_ns ns at this clock |
| longest stage | about $typical ns, at worst $worst ns, by a delay model: run the Vivado script to know |
| register bits | $registers |

## Ports
Each tensor is one bus: values in row-major order, the first in the lowest bits.

| port | tensor | values | type of a value |
|---|---|---|---|
$ports

## Files
- `src/$name.v` the top, `src/${name}_core.v` all that is below it. Every module name starts with `$name`.
- `constraints/$name.xdc` the clock.
- `sim/` testbench and golden vectors; this prints PASS:
  `cd sim && iverilog -g2012 -o tb ${name}_tb.v ../src/*.v && vvp tb`
- `vivado.tcl` synthesis, placement and routing out of context, with reports.
- `rtl.json` these figures for programs; `graph.zip` the integers the Verilog was made from.

`src/${name}_core.v` holds modules of alkaid's Verilog library (LGPL-3.0-or-later).
""")


def readme(
    name: str,
    ports: tuple[Sequence[VerilogPort], Sequence[VerilogPort]],
    pipelined: Pipelined,
    target: Target,
) -> str:
    rows = [
        f"| {p.name} | {comment(p.tensor)} | {'x'.join(map(str, p.shape))} | {p.kind} |"
        for side in ports
        for p in side
    ]
    return _README.substitute(
        name=name,
        part=target.part,
        clock=target.clock_ns,
        stages=pipelined.stages,
        latency=pipelined.latency_cycles,
        latency_ns=f"{pipelined.latency_cycles * target.clock_ns:g}",
        typical=f"{pipelined.routed.period_ns:.2f}",
        worst=f"{pipelined.routed.period_high_ns:.2f}",
        registers=pipelined.register_bits,
        ports="\n".join(rows),
    )
