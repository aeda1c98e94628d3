#!/usr/bin/env python3
"""The table of measurements says what the programs printed."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'bench'))
import results


def entry(command, *outputs):
    return {'command': command, 'device': 'a machine, 2 cores',
            'runs': [{'load_average': 1.5, 'output': o} for o in outputs]}


def play(fps, last):
    return {'codec': 'opq:span_chunks=1', 'frames': 32, 'fps': fps,
            'chunk_s': [9, 9, 9, 9] + [last / 4] * 4, 'first_frame_s': 0.125,
            'packed_span_ratio': 7.267}


class FindJsonTest(unittest.TestCase):
    def test_among_other_lines(self):
        text = '[ RUN      ] Test\n{"a": [1]}\n[       OK ] Test\n'
        self.assertEqual(results.find_json(text), {'a': [1]})

    def test_over_lines(self):
        self.assertEqual(results.find_json('x\n[\n{"a": 1}\n]\n'), [{'a': 1}])

    def test_none(self):
        with self.assertRaises(ValueError):
            results.find_json('[ RUN ]\n')


class RowsTest(unittest.TestCase):
    def rows(self, *arguments):
        return dict(results.rows_of(entry(*arguments)))

    def test_play(self):
        rows = self.rows('build/release/bin/qvg play --json', play(10, 2),
                         play(12, 1), play(20, 4))
        what = '`opq`, 32 frames: '
        self.assertEqual(rows[what + 'frames a second'], '12.0 (10.0–20.0)')
        self.assertEqual(rows[what + 'frames a second in the last 16'],
                         '8.0 (4.0–16.0)')
        self.assertEqual(
            rows[what + 'packed history, times smaller than BF16'],
            '7.27 (7.27–7.27)')

    def test_evaluation(self):
        output = {'psnr_db': 33.219, 'saturation': .71, 'edge': .62}
        self.assertEqual(
            self.rows('bin/tinyworld_eval --test=retT --codec=opq '
                      '--episodes=4', output),
            {'`opq`, retT, 4 episodes: PSNR, dB': '33.22'})
        self.assertEqual(
            set(self.rows('bin/tinyworld_eval --test=walk --codec=opq', output)
                .values()), {'0.71', '0.62'})

    def test_kernels(self):
        row = {'name': 'attention/160_frames/opq', 'median_ms': 3,
               'baseline_name': 'bf16', 'baseline_ms': 4}
        other = {'name': 'kmeans/plain', 'median_ms': 3, 'baseline_name': None,
                 'baseline_ms': None}
        self.assertEqual(
            self.rows('chrt -r 1 bin/kernel_bench', [row, other]),
            {'attention, `opq`, 160 frames: time over that of `bf16`': '0.75'})

    def test_sessions(self):
        output = {'interval_p99_ratio': 1.04, 'pool_bytes_after_close': 0,
                  'with': {'interval_s': {'p99': 2.1}},
                  'without': {'interval_s': {'p99': 2}},
                  'rss_bytes': {'start': 1 << 20, 'end': 3 << 20}}
        self.assertEqual(
            list(self.rows('tests/eight_sessions_test', output).values()),
            ['1.04', '2.00', '2.10', '2.0', '0'])

    def test_unknown_program(self):
        with self.assertRaises(ValueError):
            self.rows('date', {})


class TableTest(unittest.TestCase):
    def test_names_file_runs_load_and_device(self):
        text = results.table({'play.json': entry('qvg play', play(10, 2))})
        self.assertIn('| `opq`, 32 frames: frames a second | 10.0 | 1 | 1.5 | '
                      '`play.json` |', text)
        self.assertIn('a machine, 2 cores', text)

    def test_replaces_between_the_markers(self):
        document = f'a\n{results.BEGIN}old\n{results.END}b\n'
        self.assertEqual(results.replaced(document, 'new\n'),
                         f'a\n{results.BEGIN}new\n{results.END}b\n')

    def test_files_are_read_as_written(self):
        for output in (play(10, 2), [{'name': 'a'}, {'name': 'b'}]):
            value = entry('qvg play', output, output)
            self.assertEqual(json.loads(results.to_text(value)), value)


if __name__ == '__main__':
    unittest.main()
