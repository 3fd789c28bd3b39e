#!/usr/bin/python3
"""2,000 agents boot in one second, and their endpoint comes up 20 s later: the tries over time, printed and drawn.

    cmake --build build/dev --target storm && tests/bench/storm.py [--agents N] [--up SECONDS] [--svg FILE]
"""

import argparse
import json
import os
import subprocess
import sys

SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def draw(storm):
    """Bars of tries a second; those that the endpoint answered are dark."""
    left, top, width, height = 56, 40, 640, 200
    slot = storm["slot"]
    end = len(storm["tries"]) * slot
    most = max(storm["tries"]) / slot
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 24} {top + height + 48}" '
             'font-family="sans-serif" font-size="12">',
             f'<title>{storm["agents"]} agents, endpoint up after {storm["up_after"]} s</title>',
             f'<rect width="{left + width + 24}" height="{top + height + 48}" fill="white"/>',
             f'<text x="{left}" y="20">{storm["agents"]} agents boot within a second; the endpoint is up after '
             f'{storm["up_after"]} s. Tries a second: refused (light), delivered (dark).</text>']
    for index, (tries, answered) in enumerate(zip(storm["tries"], storm["answered"])):
        for count, colour in ((tries, "#9db7d5"), (answered, "#1f4e79")):
            tall = count / slot / most * height
            lines.append(f'<rect x="{left + index * slot / end * width:.1f}" y="{top + height - tall:.1f}" '
                         f'width="{slot / end * width * 0.9:.1f}" height="{tall:.1f}" fill="{colour}"/>')
    for share in (0, 0.5, 1):
        y = top + height * (1 - share)
        lines.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{most * share:.0f}</text>')
    for second in range(0, int(end) + 1, 5):
        x = left + second / end * width
        lines.append(f'<text x="{x:.0f}" y="{top + height + 18}" text-anchor="middle">{second}</text>')
    lines.append(f'<text x="{left + width / 2:.0f}" y="{top + height + 38}" text-anchor="middle">seconds</text>')
    return "\n".join(lines + ["</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=2000)
    parser.add_argument("--up", type=int, default=20)
    parser.add_argument("--deadline", type=int, default=60)
    parser.add_argument("--svg", default=os.path.join(SOURCES, "docs", "storm.svg"))
    parser.add_argument("--program", default=os.path.join(SOURCES, "build", "dev", "tests", "storm"))
    options = parser.parse_args()
    done = subprocess.run([options.program, *map(str, (options.agents, options.up, options.deadline))],
                          stdout=subprocess.PIPE, check=False)
    storm = json.loads(done.stdout)
    print("second  tries/s  delivered/s")
    for index in range(0, len(storm["tries"]), 2):
        print(f"{index * storm['slot']:6.0f}  {sum(storm['tries'][index:index + 2]):7}  "
              f"{sum(storm['answered'][index:index + 2]):11}")
    after = storm["tries"][int(storm["up_after"] / storm["slot"]):]
    print(f"{storm['delivered']} of {storm['agents']} delivered, the last after {storm['last_seconds']:.1f} s; "
          f"{sum(storm['tries'])} tries, at most {storm['most_tries']} by one; at most "
          f"{max(after) / storm['slot']:.0f} a second once it is up, {storm['most_connections']} connections at once")
    with open(options.svg, "w", encoding="utf-8") as file:
        file.write(draw(storm))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
