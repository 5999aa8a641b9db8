"""`python -m sklearn_ser` is `sklearn-ser`."""

from sklearn_ser.cli import main

if __name__ == "__main__":
    main()
