"""`python -m mim_tf COMMAND` is `mim COMMAND`."""

from mim_tf.cli.main import main

if __name__ == "__main__":
    main()
