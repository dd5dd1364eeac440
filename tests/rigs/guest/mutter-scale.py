"""mutter-scale.py SCALE: give the newest virtual monitor of Mutter a scale, until it goes."""
import sys
import dbus

bus = dbus.SessionBus()
config = dbus.Interface(bus.get_object("org.gnome.Mutter.DisplayConfig", "/org/gnome/Mutter/DisplayConfig"), "org.gnome.Mutter.DisplayConfig")
serial, monitors, logical, _ = config.GetCurrentState()
wanted = float(sys.argv[1])
modes = {}
for (connector, *_), listed, _ in monitors:
    modes[str(connector)] = next(mode for mode in listed if mode[6].get("is-current"))
asked = []
for x, y, scale, transform, primary, shown, _ in logical:
    names = [str(name) for name, *_ in shown]
    if names[-1] == sorted(modes)[-1]:
        near = min(modes[names[-1]][5], key=lambda one: abs(one - wanted))
        scale = near
    asked.append((x, y, dbus.Double(scale), transform, primary, [(name, modes[name][0], {}) for name in names]))
config.ApplyMonitorsConfig(serial, 1, dbus.Array(asked, signature="(iiduba(ssa{sv}))"), {})
print([entry[2] for entry in asked])
