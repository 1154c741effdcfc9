SELECT
    flight_date,
    carrier,
    origin_airport_id,
    dest_airport_id,
    dep_airport,
    arr_airport,
    dep_city,
    arr_city,
    dep_delay,
    arr_delay
FROM airlines.daily_flights_processed
WHERE flight_date IN %(days)s AND dep_delay >= %(minutes)s
