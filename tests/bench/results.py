#!/usr/bin/env python3
"""Measurements that are kept, and the table of the README made from them.

results.py record NAME COMMAND...  runs COMMAND, which prints JSON, and adds a
                                   run to tests/bench/results/NAME.json
results.py table                   writes the table into README.md
results.py check                   fails unless the table is up to date

A file is one command on one machine:
{"command": ..., "device": ..., "runs": [{"load_average": ..., "output": ...}]},
where output is what the command printed and load_average the mean number of
processes that wanted a core in the minute before it ended, null where nothing
else ran.
"""

import json
import os
import re
import shlex
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, 'results')
README = os.path.join(HERE, '..', '..', 'README.md')
BEGIN, END = '<!-- results.py: begin -->\n', '<!-- results.py: end -->\n'


def find_json(text):
    """The first JSON object or array that begins a line of `text`."""
    for match in re.finditer(r'^[\[{]', text, re.M):
        try:
            return json.JSONDecoder().raw_decode(text, match.start())[0]
        except ValueError:
            continue
    raise ValueError('no JSON was printed')


def device():
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        name = re.search(r'^model name\s*: (.*)', file.read(), re.M)
    cores = len(os.sched_getaffinity(0))
    return f'{name.group(1) if name else "unknown CPU"}, {cores} cores'


def device_of(output):
    """Where the command ran: on a GPU, if its rows say so."""
    if isinstance(output, list) and output[0]['device'].startswith('NVIDIA'):
        return output[0]['device']
    return device()


def record(name, command):
    path = os.path.join(RESULTS, name + '.json')
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          check=False)
    output = find_json(done.stdout)
    entry = {'command': shlex.join(command), 'device': device_of(output),
             'runs': []}
    if os.path.exists(path):
        with open(path, encoding='utf-8') as file:
            old = json.load(file)
        for key in ('command', 'device'):
            if old[key] != entry[key]:
                sys.exit(f'{path}: is of {key} {old[key]}; remove it first')
        entry = old
    entry['runs'].append({'load_average': round(os.getloadavg()[0], 2),
                          'output': output})
    with open(path, 'w', encoding='utf-8') as file:
        file.write(to_text(entry))
    # What missed its bound is a measurement too.
    sys.exit(done.returncode)


def to_text(entry):
    """JSON, a line for each run, or row of a run that is a list."""
    runs = []
    for run in entry['runs']:
        output = run['output']
        text = json.dumps(output)
        if isinstance(output, list):
            text = '[\n' + ',\n'.join(map(json.dumps, output)) + ']'
        runs.append(f'{{"load_average": {json.dumps(run["load_average"])}, '
                    f'"output": {text}}}')
    return (f'{{"command": {json.dumps(entry["command"])},\n'
            f'"device": {json.dumps(entry["device"])},\n'
            '"runs": [\n' + ',\n'.join(runs) + '\n]}\n')


def spread(values, digits):
    """Median, and the range if there are several."""
    text = f'{statistics.median(values):.{digits}f}'
    if len(values) > 1:
        text += f' ({min(values):.{digits}f}–{max(values):.{digits}f})'
    return text


def flag(command, name, default):
    found = re.search(rf'--{name}[= ](\S+)', command)
    return found.group(1) if found else default


def play_rows(command, outputs):
    """`qvg play --json`."""
    first = outputs[0]
    what = f'`{first["codec"].split(":")[0]}`, {first["frames"]} frames'
    values = {
        'frames a second': ([o['fps'] for o in outputs], 1),
        'frames a second in the last 16':
            ([16 / sum(o['chunk_s'][-4:]) for o in outputs], 1),
        'seconds to the first frame':
            ([o['first_frame_s'] for o in outputs], 2),
    }
    if first['packed_span_ratio'] > 1:
        values['packed history, times smaller than BF16'] = (
            [o['packed_span_ratio'] for o in outputs], 2)
    for name, (numbers, digits) in values.items():
        yield f'{what}: {name}', spread(numbers, digits)


def eval_rows(command, outputs):
    """`tinyworld_eval --json`."""
    test = flag(command, 'test', 'spin')
    what = (f'`{flag(command, "codec", "bf16")}`, {test}, '
            f'{flag(command, "episodes", "12")} episodes')
    if test == 'walk':
        yield f'{what}: saturation, relative', spread(
            [o['saturation'] for o in outputs], 2)
        yield f'{what}: edge strength, relative', spread(
            [o['edge'] for o in outputs], 2)
    else:
        yield f'{what}: PSNR, dB', spread([o['psnr_db'] for o in outputs], 2)


def device_rows(output):
    """`kernel_bench --device=cuda`: packing and unpacking, in milliseconds."""
    for row in output:
        if re.match(r'encode/|decode_rows/.*/qvg_int2', row['name']):
            kind, shape, arm = row['name'].split('/')
            yield (f'GPU, {kind}, {shape}, {arm}: ms',
                   f'{row["median_ms"]:.3f}')


def kernel_rows(command, outputs):
    """`kernel_bench`: packed attention over that of the fastest baseline."""
    yield from device_rows(outputs[0])
    by_name = {}
    for output in outputs:
        for row in output:
            if re.fullmatch(r'attention/.*/(opq|(qvg|rtn)_int2(_rotary)?)',
                            row['name']):
                key = (row['name'], row['baseline_name'])
                by_name.setdefault(key, []).append(
                    row['median_ms'] / row['baseline_ms'])
    for (name, baseline), ratios in sorted(by_name.items()):
        _, history, codec = name.split('/')
        yield (f'attention, `{codec}`, {history.replace("_", " ")}: time over '
               f'that of `{baseline}`', spread(ratios, 2))


def session_rows(command, outputs):
    """`eight_sessions_test`."""
    what = 'eight sessions, one never reads'
    yield (f'{what}: others\' chunk p99 in the middle round, over that '
           'without it',
           spread([o['interval_p99_ratio'] for o in outputs], 2))
    for arm in ('without', 'with'):
        yield f'{what}: others\' chunk p99 {arm} it, all rounds, s', spread(
            [o[arm]['interval_s']['p99'] for o in outputs], 2)
    yield f'{what}: growth of resident memory, MiB', spread(
        [(o['rss_bytes']['end'] - o['rss_bytes']['start']) / 2**20
         for o in outputs], 1)
    yield f'{what}: bytes still held after closing', spread(
        [o['pool_bytes_after_close'] for o in outputs], 0)


PROGRAMS = {'qvg': play_rows, 'tinyworld_eval': eval_rows,
            'kernel_bench': kernel_rows, 'eight_sessions_test': session_rows}


def rows_of(entry):
    words = shlex.split(entry['command'])
    program = next((os.path.basename(word) for word in words
                    if os.path.basename(word) in PROGRAMS), None)
    if not program:
        raise ValueError(f'no known program in: {entry["command"]}')
    return PROGRAMS[program](entry['command'],
                             [run['output'] for run in entry['runs']])


def table(entries):
    """Markdown of {file name: entry}, in the order of the names."""
    lines = ['| what | median (range) | runs | load | file |',
             '|---|---|---|---|---|']
    for name, entry in sorted(entries.items()):
        loads = [run['load_average'] for run in entry['runs']]
        load = '–' if None in loads else spread(loads, 1)
        for what, value in rows_of(entry):
            lines.append(f'| {what} | {value} | {len(entry["runs"])} | {load} '
                         f'| `{name}` |')
    devices = sorted({entry['device'] for entry in entries.values()})
    return ('\n'.join(lines) + '\n\nMeasured on ' + '; '.join(devices) +
            '. Load: processes that wanted a core.\n')


def read_entries():
    entries = {}
    for name in sorted(os.listdir(RESULTS)):
        if not name.endswith('.json'):
            continue
        with open(os.path.join(RESULTS, name), encoding='utf-8') as file:
            entries[name] = json.load(file)
    return entries


def replaced(document, new):
    """`document` with what lies between the markers replaced."""
    begin, end = document.index(BEGIN) + len(BEGIN), document.index(END)
    return document[:begin] + new + document[end:]


def main(arguments):
    if len(arguments) > 2 and arguments[0] == 'record':
        record(arguments[1], arguments[2:])
        return
    if arguments not in (['table'], ['check']):
        sys.exit(__doc__)
    with open(README, encoding='utf-8') as file:
        old = file.read()
    new = replaced(old, table(read_entries()))
    if arguments == ['table']:
        with open(README, 'w', encoding='utf-8') as file:
            file.write(new)
    elif new != old:
        sys.exit('README.md: run tests/bench/results.py table')


if __name__ == '__main__':
    main(sys.argv[1:])
