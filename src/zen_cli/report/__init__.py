"""What people look at: a network layer by layer, networks side by side, charts and a page that holds all of it.

`layers` lists what a network does and costs; `stages` sums it; `comparison` puts networks side by side; `subject` reads
what a page is about; `charts` draws and `page` joins everything into one file. Nothing here knows a terminal. To add a
chart, add a function and its line in `charts.CHARTS`.
"""
