from vlmbench_plugin.bench import test_label  # noqa: F401 - the one benchmark test
