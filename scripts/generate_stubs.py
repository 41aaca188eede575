"""Regenerate `sched_sdk/api/v1` from `proto/`.

The stubs are committed so that users need no compiler; a test runs this script
into a temporary folder and compares.

usage: generate_stubs.py [OUTPUT_DIRECTORY]
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO_ROOT = ROOT / "proto"
TARGET = ROOT / "sched_sdk" / "api" / "v1"

# protoc derives Python imports from the proto package (`sched.v1`); ours live
# under the SDK, so that the only top-level names we install are our packages.


def relocate(text: str) -> str:
    text = re.sub(r"\bfrom sched\.v1 import", "from sched_sdk.api.v1 import", text)
    text = re.sub(r"\bimport sched\.v1\.(\w+_pb2)", r"import sched_sdk.api.v1.\1", text)
    return re.sub(r"\bsched\.v1\.(\w+_pb2)\b", r"sched_sdk.api.v1.\1", text)


def generate(target: Path) -> None:
    protos = sorted(str(path) for path in (PROTO_ROOT / "sched" / "v1").glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        # protoc finds the mypy plug-ins beside the interpreter that runs us.
        plugins = Path(sys.executable).parent
        subprocess.run(
            [
                sys.executable,
                "-m",
                "grpc_tools.protoc",
                f"-I{PROTO_ROOT}",
                f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
                f"--python_out={scratch}",
                f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
                f"--mypy_out=quiet:{scratch}",
                f"--mypy_grpc_out=quiet:{scratch}",
                f"--grpc_python_out={scratch}",
                *protos,
            ],
            check=True,
        )
        target.mkdir(parents=True, exist_ok=True)
        for old in target.glob("*_pb2*"):
            old.unlink()
        for made in sorted((Path(scratch) / "sched" / "v1").iterdir()):
            if "_pb2_grpc." in made.name and "_to_server" not in made.read_text():
                continue  # a file without a service
            destination = target / made.name
            shutil.copyfile(made, destination)
            destination.write_text(relocate(destination.read_text()))


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
