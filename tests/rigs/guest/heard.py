"""heard.py LOG FIRST fingers W H | pen W H | at X Y | moved DX DY | turned AXIS TRAVEL NOTCHES: whether known_window's LOG has, from line FIRST on, what a
client did; prints what was heard. What was done for each is written in check-stream and check-kwin."""
import sys

log, first, what, *numbers = sys.argv[1:]
lines = [line.split() for line in open(log).read().splitlines()[int(first):]]


def near(words, x, y):
    return abs(int(words[0]) - x) <= 2 and abs(int(words[1]) - y) <= 2


def fingers(width, height):
    """Two fingers down at 1/4, 1/4 and 3/4, 1/2; the first moves to 1/2, 3/4; both up in turn."""
    heard = []
    for line in (line[1:] for line in lines if line[0] == "finger"):
        # a movement may be said twice
        if line[1] != "move" or heard[-1:] != [line]:
            heard.append(line)
    print(*("/".join(line) for line in heard[-6:]))
    for at in range(len(heard) - 4):
        one, two, moved, *lifted = heard[at:at + 5]
        if [line[1] for line in heard[at:at + 5]] == ["down", "down", "move", "up", "up"] and (
                one[0] != two[0] and [moved[0], lifted[0][0], lifted[1][0]] == [one[0], one[0], two[0]] and
                near(one[2:], width * 0.25, height * 0.25) and near(two[2:], width * 0.75, height * 0.5) and
                near(moved[2:], width * 0.5, height * 0.75)):
            return True
    return False


def pen(width, height):
    """The tip goes down at 1/4, 1/2, draws to 1/2, 1/4 and is lifted; then the barrel's first button."""
    heard = [line for line in lines if line[0] in ("enter", "motion", "button")]
    print(*("/".join(line) for line in heard[-8:]))
    wanted = [("at", width * 0.25, height * 0.5), ("button", "272", "1"), ("at", width * 0.5, height * 0.25), ("button", "272", "0"),
              ("button", "273", "1"), ("button", "273", "0")]
    for line in heard:
        word, *rest = wanted[0]
        if word == "at":
            hit = line[0] != "button" and near(line[1:], *rest)
        else:
            hit = tuple(line) == wanted[0]
        if hit:
            wanted.pop(0)
            if not wanted:
                return True
    return False


def at(x, y):
    """The pointer came to a place."""
    heard = [line[1:] for line in lines if line[0] in ("enter", "motion")]
    print(*("/".join(line) for line in heard[-3:]))
    return any(near(line, x, y) for line in heard)


def moved(dx, dy):
    """All movement since FIRST, as programs that ask for relative motion have it: accelerated and not."""
    sums = [sum(float(line[at]) for line in lines if line[0] == "relative") for at in range(1, 5)]
    print("by", *(round(one, 2) for one in sums), "(accelerated, then not)")
    return all(abs(one - wanted) < 0.1 for one, wanted in zip(sums, (dx, dy, dx, dy)))


def turned(axis, travel, notches):
    """The wheel's travel since FIRST, in units of wl_pointer and in 120ths of a notch."""
    steps = [float(line[2]) for line in lines if line[:2] == ["travel", axis]]
    told = sum(int(line[2]) for line in lines if line[:2] == ["notch", axis])
    print(f"travel {sum(steps):g} in {len(steps)} steps, {told} of 120 a notch")
    return abs(sum(steps) - float(travel)) < 0.1 and told == int(notches)


found = {"fingers": lambda: fingers(*map(int, numbers)), "pen": lambda: pen(*map(int, numbers)), "at": lambda: at(*map(int, numbers)),
         "moved": lambda: moved(*map(float, numbers)),
         "turned": lambda: turned(*numbers)}[what]()
sys.exit(not found)
