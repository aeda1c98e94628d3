"""The files of this repository, for the tests that look at them."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CPP = ('.h', '.cc', '.cu', '.cuh')
# ctest's SKIP_RETURN_CODE of these tests.
SKIPPED = 77


def files(*suffixes):
    """Paths relative to ROOT, sorted, without build products."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        here = os.path.relpath(folder, ROOT)
        folders[:] = [f for f in folders if f not in ('.git', '__pycache__')
                      and not (here == '.' and f in ('build', 'out'))]
        found += [os.path.normpath(os.path.join(here, name)) for name in names
                  if not suffixes or name.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as file:
        return file.read()


def finish(checked, what, errors):
    """Prints errors and a summary; exits with 1 if there are any."""
    for error in errors:
        print(error)
    print(f'{checked} {what}, {len(errors)} violation(s)')
    if checked == 0:
        sys.exit('nothing was checked')
    sys.exit(1 if errors else 0)


def skip(why):
    print(f'SKIPPED: {why}')
    sys.exit(SKIPPED)
