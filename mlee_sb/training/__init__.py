import logging

# At its import it warns that it could not save figures, which nobody asks of it.
logging.getLogger("speechbrain.utils.train_logger").setLevel(logging.ERROR)
