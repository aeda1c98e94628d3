#!/usr/bin/env python3
"""Compares the include graph of the tree with tests/layers.txt."""

import os
import re
import sys

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.M)

# Package: the headers that it is known by. The first match counts.
PACKAGES = (
    ('proto', r'(qvg|google/rpc)/.*\.pb\.h$'),
    ('os', r'absl/(synchronization/|time/clock\.h|log/)'),
    ('absl', r'absl/'),
    ('grpc', r'grpc(pp)?/|google/protobuf/'),
    ('torch', r'(torch|ATen|c10|caffe2)/'),
    ('cuda', r'(cuda|cooperative_groups|cub/|cute/|nv(tx|rtc)|device_launch|'
             r'vector_types|math_constants|driver_types)'),
    ('highway', r'hwy/'),
    ('ffmpeg', r'lib(av\w+|swscale)/'),
    ('prometheus', r'prometheus/'),
    ('httplib', r'httplib\.h$'),
    ('openssl', r'openssl/'),
    ('json', r'nlohmann/'),
    ('test', r'(gtest|gmock|benchmark)/'),
    ('os', r'(sys|netinet|arpa|net)/|(unistd|fcntl|poll|pthread|signal|dirent|'
           r'dlfcn|netdb|sched|spawn|time)\.h$'),
    ('os', r'(thread|mutex|shared_mutex|condition_variable|future|semaphore|'
           r'latch|barrier|stop_token|chrono|ctime|filesystem|fstream|'
           r'iostream|ostream|istream|csignal|random)$'),
    ('std', r'\w+$|\w+intrin\.h$|(std\w+|string|math|float|limits|errno|'
            r'assert|inttypes|cpuid)\.h$'),
)


class Row:
    def __init__(self, line):
        name, _, allowed = line.partition(':')
        self.deep = name.endswith('/...')
        self.name = name[:-4] if self.deep else name
        self.allowed = set(allowed.split())

    def may(self, target):
        return (target in (self.name, 'std') or target in self.allowed
                or '*' in self.allowed)


def read_table(text):
    lines = [line.split('#')[0].strip() for line in text.splitlines()]
    return {row.name: row for row in map(Row, filter(None, lines))}


def owner(table, path):
    """The row that a file belongs to, or None."""
    folder = os.path.dirname(path)
    if folder in table:
        return table[folder]
    while folder:
        folder = os.path.dirname(folder)
        if folder in table:
            return table[folder] if table[folder].deep else None
    return None


def package(header):
    for name, pattern in PACKAGES:
        if re.match(pattern, header):
            return name
    return None


def cycles(table):
    """Rows that depend on themselves through others."""
    def reach(name, seen):
        for target in table[name].allowed & table.keys() - {name}:
            if target not in seen:
                seen.add(target)
                reach(target, seen)
        return seen
    return [name for name in table if name in reach(name, set())]


def reaching(includes, name):
    """Files from which a header of a package is reached through ours."""
    users = {path for path, headers in includes.items()
             if any(package(h) == name for h in headers)}
    grew = True
    while grew:
        new = {path for path, headers in includes.items()
               if users & set(headers)}
        grew = not new <= users
        users |= new
    return users


def check_include(table, sources, row, header):
    if header in sources:
        target = owner(table, header)
        name = target.name if target else None
    else:
        name = package(header)
    if name is None:
        return f'{header} is no path from the root and no known package'
    if not row.may(name):
        return f'{row.name} may not include {name} ({header})'
    return None


def check(table, sources):
    """sources: path -> text. Returns the violations."""
    errors = [f'tests/layers.txt: {name} is part of a cycle'
              for name in cycles(table)]
    includes = {path: [a or b for a, b in INCLUDE.findall(text)]
                for path, text in sources.items()}
    torch = reaching(includes, 'torch')
    errors += [f'{path}: reaches both Torch and protobuf headers'
               for path in torch & reaching(includes, 'proto')]
    for path, headers in includes.items():
        row = owner(table, path)
        if row is None:
            errors.append(f'{path}: no row in tests/layers.txt')
            continue
        if path in torch and not row.may('torch'):
            errors.append(f'{path}: reaches Torch')
        found = (check_include(table, sources, row, h) for h in headers)
        errors += [f'{path}: {error}' for error in found if error]
    return sorted(errors)


def main():
    table = read_table(tree.read('tests/layers.txt'))
    sources = {path: tree.read(path) for path in tree.files(*tree.CPP)}
    tree.finish(len(sources), 'files', check(table, sources))


if __name__ == '__main__':
    sys.exit(main())
