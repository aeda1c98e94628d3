#!/usr/bin/env python3
"""What the repository as a whole must hold to: shell scripts that parse, no
large files, no paths of somebody's machine, documents that name what exists.
"""

import os
import re
import shutil
import subprocess

import tree

MAX_FILE, MAX_TREE = 20 << 20, 35 << 20
HOME_PATH = re.compile(r'(?<![\w$}])/(?:home|Users|root)/\w')
TEXT = tree.CPP + ('.py', '.sh', '.md', '.txt', '.cmake', '.json', '.yaml',
                   '.yml', '.proto', '.html', '.js')
FOLDERS = ('proto', 'kernels', 'cache', 'server', 'client', 'deploy', 'tests')


def shell_scripts():
    scripts = tree.files('.sh') + [os.path.join('.ci', 'run')]
    shellcheck = shutil.which('shellcheck')
    for script in scripts:
        commands = [['bash', '-n', script]]
        if shellcheck:
            commands.append([shellcheck, '-x', script])
        for command in commands:
            done = subprocess.run(command, cwd=tree.ROOT, text=True,
                                  capture_output=True)
            if done.returncode:
                yield f'{script}: {done.stdout}{done.stderr}'


def sizes():
    total = 0
    for path in tree.files():
        size = os.lstat(os.path.join(tree.ROOT, path)).st_size
        total += size
        if size > MAX_FILE:
            yield f'{path}: {size} bytes, limit {MAX_FILE}'
    if total > MAX_TREE:
        yield f'the tree has {total} bytes, limit {MAX_TREE}'


def home_paths():
    for path in tree.files(*TEXT):
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            if HOME_PATH.search(line):
                yield f'{path}:{number}: a path of one machine'


def programs():
    cmake = '\n'.join(map(tree.read, tree.files('CMakeLists.txt')))
    return set(re.findall(r'add_(?:program|unit_test|executable)\(\s*(\w+)',
                          cmake))


def documents():
    """Paths and programs that Markdown files name exist."""
    built = programs()
    for path in tree.files('.md'):
        text = tree.read(path)
        here = os.path.dirname(path)
        for link in re.findall(r'\]\(([^)#:\s]+)\)', text):
            if not os.path.exists(os.path.join(tree.ROOT, here, link)):
                yield f'{path}: link to {link}, which is not there'
        named = r'(?<![\w/.$-])((?:%s)/[\w./-]*\w)' % '|'.join(FOLDERS)
        for name in re.findall(named, ' '.join(code_of(text))):
            if not os.path.exists(os.path.join(tree.ROOT, name)):
                yield f'{path}: names {name}, which is not there'
        for name in re.findall(r'build/\w+/bin/(\w+)', text):
            if name not in built:
                yield f'{path}: names the program {name}, which nothing builds'


def code_of(markdown):
    """Its code blocks and code spans."""
    blocks = re.findall(r'^```.*?^```', markdown, re.S | re.M)
    rest = re.sub(r'^```.*?^```', '', markdown, flags=re.S | re.M)
    return blocks + re.findall(r'`[^`]+`', rest)


def readmes():
    for folder in ('.',) + FOLDERS:
        path = os.path.normpath(os.path.join(folder, 'README.md'))
        if not os.path.exists(os.path.join(tree.ROOT, path)):
            yield f'{path}: missing'


def main():
    checks = (shell_scripts, sizes, home_paths, documents, readmes)
    tree.finish(len(tree.files()), 'files',
                [error for check in checks for error in check()])


if __name__ == '__main__':
    main()
