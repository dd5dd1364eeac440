# Not active by itself: ufw allow punktfunk
[punktfunk]
title=Punktfunk streaming host
description=Streams the desktops and games of this machine's users to paired Moonlight clients
ports=47984,47989,48010/tcp|47998:48000/udp|5353/udp
