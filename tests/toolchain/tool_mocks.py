"""A mock of the vendors' tools."""

from __future__ import annotations

BANNER = "****** {tool} - High-Level Synthesis from C, C++ and OpenCL v2023.1 (64-bit)"
SCRIPT = """#!{python}
import os, re, shutil, signal, subprocess, sys, time
from pathlib import Path

print("{banner}", flush=True)
if any(argument.lstrip("-") in ("version", "V") for argument in sys.argv[1:]):
    time.sleep(float(os.environ.get("MOCK_VERSION_S", "0")))
    sys.exit(0)
mode = os.environ.get("MOCK_MODE", "ok")
Path("arguments.txt").write_text("\\n".join(sys.argv[1:]))
options_file = Path("build_opt.tcl")
text = options_file.read_text() if options_file.exists() else " ".join(sys.argv).replace("=", " ")
options = dict(re.findall(r"(\\w+)\\s+([01])\\b", text))
print("INFO: [HLS 200-10] Opening project", flush=True)
FAILURES = {{
    "license": "ERROR: [Common 17-345] A valid license was not found for feature 'HLS'.",
    "part": "ERROR: [HLS 200-1023] Part 'xcvu13p-flga2577-2-e' is not installed.",
    "syntax": "ERROR: [HLS 207-3776] use of undeclared identifier 'w9' (firmware/myproject.cpp:42:9)",
    "gcc": "firmware/myproject.cpp:42:9: error: 'w9' was not declared in this scope",
    "size": "ERROR: [HLS 200-70] Pre-synthesis failed.",
    "other": "ERROR: [IMPL 213-28] Failed to generate IP.",
}}
if mode in FAILURES:
    print(FAILURES[mode], flush=True)
    print("command 'ap_source' returned error code", flush=True)
    sys.exit(1)
if mode == "error_but_zero":
    print("ERROR: [HLS 200-1505] Using default flow_target", flush=True)
    sys.exit(0)
if mode == "silent":
    sys.exit(0)
if mode == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if mode in ("hang", "stubborn", "child", "child_left"):
    if mode != "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    Path("child.pid").write_text(str(child.pid))
    print("INFO: still working", flush=True)
    if mode == "child_left":
        sys.exit(0)
    time.sleep(600)
if mode == "bytes":
    sys.stdout.buffer.write(b"delay 3 \\xb5s \\xff\\x00 [/opt/tool] [HLS 1-1]\\n")
if mode == "flood":
    sys.stdout.buffer.write(b"INFO: one more line\\n" * 50_000 + b"#" * 5_000_000)
reports = Path(os.environ["MOCK_REPORTS"])
steps = {{"synth": "syn", "cosim": "sim", "vsynth": "vivado", "export": "impl"}}
for option, folder in steps.items():
    if options.get(option) == "1" and (reports / folder).is_dir():
        if option == "synth" and options.get("reset") == "1":
            shutil.rmtree("myproject_prj", ignore_errors=True)
        target = Path(".") if folder == "vivado" else Path("myproject_prj/solution1") / folder
        shutil.copytree(reports / folder, target, copy_function=shutil.copy, dirs_exist_ok=True)
if mode == "truncated":
    for report in Path("myproject_prj").rglob("*csynth.*"):
        report.write_text(report.read_text()[: len(report.read_text()) // 2])
print("INFO: [HLS 200-112] Total elapsed time: 1 seconds", flush=True)
"""
