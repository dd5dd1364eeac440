"""users.py listen FILE | try PATH...: as the wrong user. listen: write down everything that reaches this connection with a match for
everything, and whether the bus lets it eavesdrop. try: every method and property of the documented interfaces on these objects (of
somebody else's); prints what was not refused."""
import sys, xml.etree.ElementTree as ET, glob
import dbus, dbus.lowlevel
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

REFUSED = {"org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"}
NOT_HIS = {"org.freedesktop.DBus.Error.InvalidArgs", "org.freedesktop.DBus.Error.UnknownObject"}
NAME = "org.punktfunk.Host1"
VALUES = {"u": dbus.UInt32(1000), "s": "1234", "b": True, "t": dbus.UInt64(5), "o": dbus.ObjectPath("/org/punktfunk/Agent1"), "h": None,
          "as": dbus.Array(["view"], signature="s"), "a{sv}": dbus.Dictionary({}, signature="sv"), "i": dbus.Int32(1), "d": 1.0,
          "a{ss}": dbus.Dictionary({}, signature="ss"), "a{sq}": dbus.Dictionary({}, signature="sq"), "a(us)": dbus.Array([], signature="(us)")}


def listen(path):
    out = open(path, "w", buffering=1)
    bus = dbus.SystemBus(mainloop=DBusGMainLoop())
    bus.add_match_string("")
    for rule in ("eavesdrop=true", "eavesdrop=true,type='method_call'"):
        try:
            bus.add_match_string(rule)
        except dbus.DBusException as error:
            print("refused:", error.get_dbus_name(), file=out)
    try:
        bus.call_blocking("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Monitoring", "BecomeMonitor", "asu", ([], 0))
        print("MONITOR", file=out)
    except dbus.DBusException as error:
        print("refused:", error.get_dbus_name(), file=out)
    # as a panel would: everything that is shown to this user, and its changes
    bus.call_blocking(NAME, "/org/punktfunk/Host1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", ())
    bus.add_message_filter(lambda _, m: print(m.get_sender(), m.get_path(), m.get_interface(), m.get_member(), m.get_args_list(), file=out))
    print("listening", file=out)
    GLib.MainLoop().run()


def attempt(bus, *call):
    try:
        answer = bus.call_blocking(*call)
    except dbus.DBusException as error:
        return error.get_dbus_name()
    return f"answered {answer}"


def every(paths):
    bus, tried, wrong = dbus.SystemBus(), 0, []
    for file in glob.glob("/usr/share/dbus-1/interfaces/org.punktfunk.Host1*.xml"):
        for interface in ET.parse(file).getroot().iter("interface"):
            name = interface.get("name")
            for path in paths:
                for method in interface.iter("method"):
                    types = [arg.get("type") for arg in method.iter("arg") if arg.get("direction") == "in"]
                    values = [VALUES[t] for t in types]
                    if method.get("name") == "RegisterAgent":
                        values[1] = sys.argv[2]
                    result = attempt(bus, NAME, path, name, method.get("name"), "".join(types), tuple(values))
                    tried += 1
                    # anybody may offer a session of his own; that this one is another's is the service's answer, not polkit's
                    offered = method.get("name") == "RegisterAgent" and result in NOT_HIS
                    if result not in REFUSED and not offered:
                        wrong.append(f"{path} {name}.{method.get('name')}: {result}")
                for prop in interface.iter("property"):
                    value = VALUES.get(prop.get("type"), "x")
                    result = attempt(bus, NAME, path, "org.freedesktop.DBus.Properties", "Set", "ssv", (name, prop.get("name"), value))
                    tried += 1
                    if not result.startswith("org.freedesktop.DBus.Error."):
                        wrong.append(f"{path} set {prop.get('name')}: {result}")
                    if path != "/org/punktfunk/Host1":
                        result = attempt(bus, NAME, path, "org.freedesktop.DBus.Properties", "Get", "ss", (name, prop.get("name")))
                        tried += 1
                        if result.startswith("answered"):
                            wrong.append(f"{path} get {prop.get('name')}: {result}")
    return tried, wrong


def agent(owner):
    """Call another user's agent by its unique name."""
    bus, wrong = dbus.SystemBus(), []
    for method in ET.parse("/usr/share/dbus-1/interfaces/org.punktfunk.Agent1.xml").getroot().iter("method"):
        types = [arg.get("type") for arg in method.iter("arg") if arg.get("direction") == "in"]
        if "h" in types:
            continue
        result = attempt(bus, owner, "/org/punktfunk/Agent1", "org.punktfunk.Agent1", method.get("name"), "".join(types), tuple(VALUES[t] for t in types))
        if result not in REFUSED:
            wrong.append(f"{owner} {method.get('name')}: {result}")
    return wrong


if sys.argv[1] == "listen":
    listen(sys.argv[2])
else:  # try SESSION AGENT PATH...
    tried, wrong = every(sys.argv[4:])
    wrong += agent(sys.argv[3])
    print("\n".join(wrong) if wrong else f"{tried} attempts")
    sys.exit(bool(wrong))
