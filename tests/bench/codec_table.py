"""Prints rows of codec_bench as a Markdown table: means over keys and values.

Usage: codec_table.py FILE.csv [HEAD_DIM]
"""

import csv
import sys


def mean(rows, field):
    return sum(float(row[field]) for row in rows) / len(rows)


def main():
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    if len(sys.argv) > 2:
        rows = [r for r in rows if r["input"].endswith("_d" + sys.argv[2])]
    print("| codec | bits | without codebook | relL2 K | relL2 V "
          "| residual error K | V |")
    print("|---|---|---|---|---|---|---|")
    for codec in dict.fromkeys(row["codec"] for row in rows):
        of = [row for row in rows if row["codec"] == codec]
        keys = [row for row in of if row["input"].startswith("k")]
        values = [row for row in of if row["input"].startswith("v")]
        bits = mean(of, "bits")
        print(f"| `{codec}` | {bits:.3f} "
              f"| {bits - mean(of, 'codebook_bits'):.3f} "
              f"| {mean(keys, 'rel_l2'):.3f} | {mean(values, 'rel_l2'):.3f} "
              f"| {mean(keys, 'residual_error'):.3f} "
              f"| {mean(values, 'residual_error'):.3f} |")


if __name__ == "__main__":
    main()
