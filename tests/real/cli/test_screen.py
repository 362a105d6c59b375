"""A real machine's screen: it asks for a password, and the command says where it is."""

import socket


def test_the_screen_is_where_the_command_says_and_wants_the_password(real):
    made = real.json("vm", "create", "screened", "--memory", "32", "--vnc")
    try:
        told = real.json("vm", "vnc", "screened", "--seconds", "60")
        with socket.create_connection((told["host"], int(told["port"])), timeout=10) as screen:
            hello = screen.recv(12)
            screen.sendall(hello)
            count = screen.recv(1)[0]
            kinds = screen.recv(count)
        assert hello.startswith(b"RFB 003.00") and list(kinds) == [2]  # 2: a password is asked for
        assert told["password"] not in real.log.read_text()
        assert "no SPICE screen" in real.do("vm", "vnc", "screened", "--kind", "spice", code=1)
    finally:
        real.do("vm", "destroy", made["vmId"])
