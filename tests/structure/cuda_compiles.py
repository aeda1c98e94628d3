#!/usr/bin/env python3
"""Compiles every .cu for sm_90a with the CUDA compiler of deploy/setup.sh, so
that device code cannot rot on machines without a GPU.
"""

import concurrent.futures
import glob
import os
import shutil
import subprocess
import tempfile

import tree

FLAGS = ['-std=c++20', '-O3', '-gencode', 'arch=compute_90a,code=sm_90a',
         '--expt-relaxed-constexpr', '-Xcompiler', '-Wall,-Wextra', '-I.',
         '-c', '-Werror', 'all-warnings']


def compiler():
    deps = os.environ.get('QVG_DEPS_DIR') or os.path.expanduser('~/.cache/qvgd')
    found = glob.glob(
        f'{deps}/venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc')
    if not found:
        tree.skip('no CUDA compiler: run deploy/setup.sh')
    ccache = shutil.which('ccache')
    return ([ccache] if ccache else []) + found[:1]


def compile_one(nvcc, path, folder):
    target = os.path.join(folder, path.replace(os.sep, '_') + '.o')
    return path, subprocess.run([*nvcc, *FLAGS, path, '-o', target],
                                cwd=tree.ROOT, capture_output=True, text=True)


def main():
    sources = tree.files('.cu')
    nvcc = compiler()
    if not sources:
        tree.skip('the tree has no .cu')
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda path: compile_one(nvcc, path, folder),
                             sources))
    errors = [f'{path}: {result.stderr}' for path, result in done
              if result.returncode]
    tree.finish(len(sources), 'device sources', errors)


if __name__ == '__main__':
    main()
