"""The local inference server: engine, models, result store, HTTP edge and command line."""

import sys

# Nothing leaves the machine: OpenVINO reports its import to Google Analytics where this module can
# be imported. None makes that import fail, and OpenVINO then uses its own empty stand-in.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
