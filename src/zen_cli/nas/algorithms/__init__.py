"""How a search proposes networks: one algorithm a module, all behind one protocol."""
