"""LED panels without a controller, on the host: what a person sees of the stores that scan them.

Here: the log of a scan's register stores (`waveform`), the panel at the other end of the cable
(`layout`, `cable`), and the eye in front of it: a picture and figures (`eye`, `picture`, `figures`,
`png`). Not here: what a display should show, devices, MQTT; the gateway and the tools import this
package, and it imports neither.
"""
