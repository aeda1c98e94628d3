#!/usr/bin/env python3
"""Torch's libraries, which carry an old protobuf inside, export nothing that
the system's protobuf library exports too: both can be linked together.

Usage: torch_symbols.py TORCH_LIB_FOLDER PROTOBUF_LIBRARY
"""

import glob
import re
import subprocess
import sys

import tree

# A function, table, type info or guard variable in google::protobuf.
DEFINED = re.compile(r'\s(_Z(?:T[VISTC]|GV)?NK?6google8protobuf\w*)$', re.M)
# Pure functions of integers: it does not matter whose copy runs.
HARMLESS = re.compile(r'_ZN6google8protobuf8internal8byteswapILi\dEEEvPv$')


def exported(library):
    symbols = subprocess.run(['nm', '-D', '--defined-only', library],
                             capture_output=True, text=True, check=True).stdout
    return {s for s in DEFINED.findall(symbols) if not HARMLESS.match(s)}


def main():
    torch_folder, protobuf = sys.argv[1:]
    ours = exported(protobuf)
    if not ours:
        sys.exit(f'{protobuf} exports no protobuf')
    libraries = sorted(glob.glob(torch_folder + '/lib*.so'))
    clashes = {library: exported(library) & ours for library in libraries}
    tree.finish(len(libraries), 'libraries',
                [f'{library}: {len(found)} clashes, one is {min(found)}'
                 for library, found in clashes.items() if found])


if __name__ == '__main__':
    main()
