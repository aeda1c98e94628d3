#!/usr/bin/env python3
"""Files and functions stay as small as the house style wants them.

Code lines are lines that hold more than blanks and comments. Function length
is from the first line to the closing brace, as Universal Ctags sees it.
"""

import json
import os
import re
import shutil
import statistics
import subprocess

import tree

HEADER, SOURCE, FUNCTION, KERNEL = 150, 400, 60, 150
MEDIAN_HEADER, P90_FUNCTION = 50, 30

STRIPPED = re.compile(
    r'''//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*\'''', re.S)


def code_lines(text):
    def keep(match):
        token = match.group()
        return token if token[0] in '"\'' else '\n' * token.count('\n')
    return sum(1 for line in STRIPPED.sub(keep, text).splitlines()
               if line.strip())


def functions(sources):
    """[(path, name, lines)]"""
    out = subprocess.run(
        ['ctags', '--output-format=json', '--languages=C++,CUDA',
         '--langmap=C++:.h.cc,CUDA:.cu.cuh', '--c++-kinds=f', '--cuda-kinds=f',
         '--fields=+ne', '-f', '-', '-L', '-'],
        input='\n'.join(sources), capture_output=True, text=True, check=True,
        cwd=tree.ROOT).stdout
    tags = map(json.loads, out.splitlines())
    return [(t['path'], t['name'], t['end'] - t['line'] + 1)
            for t in tags if 'end' in t]


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))] if values else 0


def file_errors(sources, lines):
    for path in sources:
        limit = HEADER if path.endswith(('.h', '.cuh')) else SOURCE
        if lines[path] > limit:
            yield f'{path}: {lines[path]} code lines, limit {limit}'


def function_errors(found):
    for path, name, length in found:
        limit = KERNEL if path.endswith(('.cu', '.cuh')) else FUNCTION
        if length > limit:
            yield f'{path}: {name} has {length} lines, limit {limit}'


def main():
    if not shutil.which('ctags'):
        tree.skip('no universal-ctags: run deploy/setup.sh')
    sources = tree.files(*tree.CPP)
    lines = {path: code_lines(tree.read(path)) for path in sources}
    found = functions(sources)
    headers = [lines[p] for p in sources if p.endswith(('.h', '.cuh'))]
    lengths = [length for _, _, length in found]
    errors = [*file_errors(sources, lines), *function_errors(found)]
    median = statistics.median(headers)
    if median > MEDIAN_HEADER:
        errors.append(f'header median {median}, limit {MEDIAN_HEADER}')
    if percentile(lengths, .9) > P90_FUNCTION:
        errors.append(f'function p90 {percentile(lengths, .9)}, limit '
                      f'{P90_FUNCTION}')
    tests = sum(lines[p] for p in sources if p.startswith('tests' + os.sep))
    print(f'headers: {len(headers)}, median {median} code lines; functions: '
          f'{len(found)}, median {percentile(lengths, .5)}, p90 '
          f'{percentile(lengths, .9)}, max {max(lengths, default=0)}; code '
          f'lines: {sum(lines.values()) - tests}, tests {tests}')
    tree.finish(len(sources), 'files', errors)


if __name__ == '__main__':
    main()
