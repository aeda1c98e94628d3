#!/usr/bin/env python3
"""Every C++ and CUDA source is as clang-format leaves it; --fix makes it so."""

import glob
import os
import re
import subprocess
import sys

import tree

VERSION = '14.'  # other versions lay some lines out differently


def clang_format():
    """The one that deploy/setup.sh installed, else one of the same version."""
    deps = os.environ.get('QVG_DEPS_DIR') or os.path.expanduser('~/.cache/qvgd')
    for program in glob.glob(f'{deps}/venv/bin/clang-format') + [
            'clang-format-14', 'clang-format']:
        try:
            out = subprocess.run([program, '--version'], capture_output=True,
                                 text=True, check=True).stdout
        except OSError:
            continue
        if f'version {VERSION}' in out:
            return program
    return tree.skip(f'no clang-format {VERSION}x: run deploy/setup.sh')


def main():
    sources = tree.files(*tree.CPP)
    mode = ['-i'] if '--fix' in sys.argv else ['--dry-run', '-Werror']
    result = subprocess.run([clang_format(), *mode, *sources], cwd=tree.ROOT,
                            capture_output=True, text=True)
    found = re.findall(r'^(\S+?):(\d+):\d+: error', result.stderr, re.M)
    lines = {}
    for path, line in found:
        lines.setdefault(path, []).append(line)
    errors = [f'{path}: line(s) {", ".join(at[:8])}: run '
              'tests/structure/format.py --fix' for path, at in lines.items()]
    if result.returncode and not errors:
        errors = [result.stderr]
    tree.finish(len(sources), 'files', errors)


if __name__ == '__main__':
    main()
