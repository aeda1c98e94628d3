#!/usr/bin/env python3
"""buf lint passes, and nothing breaks the contract in tests/golden/proto.

After an addition to the contract, --update makes it part of what is guarded.
"""

import os
import shutil
import subprocess
import sys

import tree

BASELINE = os.path.join('tests', 'golden', 'proto', 'qvg_v1.binpb')


def buf(*arguments):
    deps = os.environ.get('QVG_DEPS_DIR') or os.path.expanduser('~/.cache/qvgd')
    program = shutil.which('buf', path=f'{deps}/bin:{os.environ["PATH"]}')
    if not program:
        tree.skip('no buf: run deploy/setup.sh --tools')
    done = subprocess.run([program, *arguments], cwd=tree.ROOT, text=True,
                          capture_output=True)
    return [done.stdout + done.stderr] if done.returncode else []


def main():
    if '--update' in sys.argv:
        tree.finish(1, 'baseline', buf('build', 'proto', '-o', BASELINE))
    errors = buf('lint', 'proto') + buf('breaking', 'proto', '--against',
                                        BASELINE)
    tree.finish(len(tree.files('.proto')), 'files', errors)


if __name__ == '__main__':
    main()
