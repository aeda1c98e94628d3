#!/usr/bin/env python3
"""The layer check finds what it is there to find."""

import unittest

import layers

TABLE = layers.read_table('''
# a comment
low/...: absl
model: low
model/net/...: model torch
top: model model/net proto
tests/...: *
''')


def violations(**sources):
    texts = {path.replace('__', '/') + '.h': text
             for path, text in sources.items()}
    return layers.check(TABLE, texts)


class LayersTest(unittest.TestCase):
    def test_allowed(self):
        self.assertEqual(violations(
            low__a='#include <vector>\n#include "absl/status/status.h"',
            low__deep__b='#include "low/a.h"',
            model__m='#include "low/deep/b.h"',
            tests__t='#include <thread>\n#include "model/m.h"'), [])

    def test_upward_include(self):
        self.assertEqual(
            violations(model__m='', low__a='#include "model/m.h"'),
            ['low/a.h: low may not include model (model/m.h)'])

    def test_package_that_is_not_listed(self):
        self.assertEqual(
            violations(low__a='# include <thread>'),
            ['low/a.h: low may not include os (thread)'])

    def test_unknown_header(self):
        self.assertEqual(
            violations(low__a='#include "boost/any.hpp"'),
            ['low/a.h: boost/any.hpp is no path from the root and no known '
             'package'])

    def test_folder_without_row(self):
        self.assertEqual(violations(model__new__x=''),
                         ['model/new/x.h: no row in tests/layers.txt'])

    def test_torch_through_a_header(self):
        self.assertEqual(
            violations(model__net__n='#include <torch/torch.h>',
                       top__m='#include "model/net/n.h"'),
            ['top/m.h: reaches Torch'])

    def test_torch_beside_protobuf(self):
        self.assertEqual(
            violations(tests__a='#include <torch/torch.h>\n'
                                '#include "qvg/v1/types.pb.h"'),
            ['tests/a.h: reaches both Torch and protobuf headers'])

    def test_cycle(self):
        table = layers.read_table('a: b\nb: c\nc: a\nd: a')
        self.assertEqual(layers.cycles(table), ['a', 'b', 'c'])


if __name__ == '__main__':
    unittest.main()
